# Catena, as a container: non-root, read-only code, one volume (/data), no secret inside.
#
#   docker build --tag catena:local .
#   docker run --rm     -v catena:/data -e CATENA_PASSPHRASE_FILE=/run/secrets/catena -v /safe/passphrase:/run/secrets/catena:ro \
#              catena:local init --org "Your organisation"
#   docker run --detach -v catena:/data -e CATENA_PASSPHRASE_FILE=/run/secrets/catena -v /safe/passphrase:/run/secrets/catena:ro \
#              --publish 127.0.0.1:8800:8800 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges catena:local
#
# The passphrase comes from a file that is mounted, or from CATENA_PASSPHRASE; it is never part of the image.
# The passphrase file must be readable by user 10001.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/runtime.lock /tmp/runtime.lock
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --require-hashes --only-binary :all: --requirement /tmp/runtime.lock \
 && /opt/venv/bin/pip uninstall --yes pip setuptools

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Catena" \
      org.opencontainers.image.description="An open humanitarian-law evidence archive with chain of custody." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 catena \
 && useradd --system --uid 10001 --gid catena --home-dir /nonexistent --shell /usr/sbin/nologin catena \
 && install --directory --owner catena --group catena --mode 0700 /data
COPY --from=packages /opt/venv /opt/venv
COPY LICENSE README.md pyproject.toml /opt/catena/
COPY schemas /opt/catena/schemas
COPY evidence_store /opt/catena/evidence_store
COPY migrations /opt/catena/migrations
COPY app /opt/catena/app
RUN printf '#!/bin/sh\nexec /opt/venv/bin/python -m app.cli "$@"\n' > /usr/local/bin/catena \
 && chmod 0755 /usr/local/bin/catena \
 && /opt/venv/bin/python -m compileall -q /opt/catena
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/catena \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CATENA_DATA=/data
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 8800
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8800/healthz', timeout=4)"]
ENTRYPOINT ["catena"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8800"]
