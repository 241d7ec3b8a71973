// A judge of evidence records (RFC 4998) that shares no code with Catena: BouncyCastle reads, hashes and verifies.
//
//   java -cp bcprov.jar:bcutil.jar:bcpkix.jar EvidenceRecordJudge.java CASES
//
// Each line of CASES is one record, its fields parted by tabs: the record's file, a folder of certificates (DER) of
// the authorities to trust, then the files of the data object group. For each line, one line is printed: "OK", the
// number of tokens and the time of the first, or "REFUSED" and why.

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

import org.bouncycastle.asn1.tsp.ArchiveTimeStamp;
import org.bouncycastle.asn1.tsp.ArchiveTimeStampChain;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.ers.ERSByteData;
import org.bouncycastle.tsp.ers.ERSData;
import org.bouncycastle.tsp.ers.ERSDataGroup;
import org.bouncycastle.tsp.ers.ERSEvidenceRecord;

public class EvidenceRecordJudge {
    public static void main(String[] arguments) throws Exception {
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] fields = line.split("\t");
            try {
                System.out.println("OK " + judge(fields));
            } catch (Exception reason) {
                System.out.println("REFUSED " + reason.getClass().getSimpleName() + ": " + reason.getMessage());
            }
        }
    }

    private static String judge(String[] fields) throws Exception {
        DigestCalculatorProvider digests = new JcaDigestCalculatorProviderBuilder().build();
        ERSEvidenceRecord record = new ERSEvidenceRecord(Files.readAllBytes(Path.of(fields[0])), digests);
        List<ERSData> members = new ArrayList<>();
        for (int i = 2; i < fields.length; i++) {
            members.add(new ERSByteData(Files.readAllBytes(Path.of(fields[i]))));
        }
        // The group as a whole: exactly these members, and no other, are the first list of the reduced hash tree.
        record.validatePresent(new ERSDataGroup(members), new Date());
        Date first = null;
        int tokens = 0;
        for (ArchiveTimeStampChain chain : record.toASN1Structure().getArchiveTimeStampSequence()
                .getArchiveTimeStampChains()) {
            for (ArchiveTimeStamp stamp : chain.getArchiveTimestamps()) {
                TimeStampToken token = new TimeStampToken(stamp.getTimeStamp());
                token.validate(verifierFor(token, new File(fields[1])));
                first = first == null ? token.getTimeStampInfo().getGenTime() : first;
                tokens++;
            }
        }
        // Of the last chain: each earlier token is covered by the last one, whose signature holds.
        record.validate(verifierFor(record.getSigningCertificate(), new File(fields[1])));
        return tokens + " " + first.toInstant();
    }

    private static SignerInformationVerifier verifierFor(TimeStampToken token, File trusted) throws Exception {
        for (Object each : token.getCertificates().getMatches(token.getSID())) {
            return verifierFor((X509CertificateHolder) each, trusted);
        }
        throw new Exception("the token holds no certificate of its signer");
    }

    private static SignerInformationVerifier verifierFor(X509CertificateHolder signer, File trusted)
            throws Exception {
        for (File file : trusted.listFiles()) {
            X509CertificateHolder issuer = new X509CertificateHolder(Files.readAllBytes(file.toPath()));
            if (signer.getIssuer().equals(issuer.getSubject())
                    && signer.isSignatureValid(new JcaContentVerifierProviderBuilder().build(issuer))) {
                return new JcaSimpleSignerInfoVerifierBuilder().build(signer);
            }
        }
        throw new Exception("no trusted authority issued the signer's certificate");
    }
}
