// tus-js-client, which nobody here wrote, against a running server. Argument: JSON with everything it needs.
// Stops when `stopAt` bytes are accepted (the link "drops"); with `uploadUrl` it goes on where the server says.
const fs = require("fs");
const tus = require("tus-js-client");

const given = JSON.parse(process.argv[2]);
const retried = [];
let last = null;
const upload = new tus.Upload(fs.createReadStream(given.file), {
  endpoint: given.endpoint,
  uploadUrl: given.uploadUrl,
  uploadSize: fs.statSync(given.file).size,
  chunkSize: given.chunkSize || Infinity,
  uploadDataDuringCreation: given.withCreation,
  headers: { Authorization: `Bearer ${given.token}` },
  metadata: given.metadata,
  retryDelays: given.retryDelays,
  storeFingerprintForResuming: false,
  onShouldRetry: (error) => {
    retried.push(error.originalResponse ? error.originalResponse.getStatus() : 0);
    return true;
  },
  onAfterResponse: (_, response) => {
    last = { status: response.getStatus(), item: response.getHeader("Catena-Item") || null };
  },
  onChunkComplete: (_, accepted) => {
    if (given.stopAt && accepted >= given.stopAt) {
      upload.abort(Boolean(given.terminate)).then(() => done({ stopped: accepted }));
    }
  },
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => done({ stopped: null }),
});

function done(how) {
  console.log(JSON.stringify({ url: upload.url, last, retried, ...how }));
  process.exit(0);
}

upload.start();
