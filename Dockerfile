# The base image is named by its digest, so that every build has the same one. To update, replace it in both places
# (`docker buildx imagetools inspect python:3.13-slim` prints the newest).
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && python -m venv /opt/verify-gateway \
    && /opt/verify-gateway/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml alembic.ini LICENSE README.md ./
COPY migrations migrations
COPY service service
RUN python -m hatchling build --target wheel \
    && /opt/verify-gateway/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
LABEL org.opencontainers.image.title="verify-gateway" \
    org.opencontainers.image.description="A guarded gateway in front of Telnyx Verify" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home verify
COPY --from=build /opt/verify-gateway /opt/verify-gateway
ENV PATH=/opt/verify-gateway/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8080
USER 10001:10001
EXPOSE 8080
# For `serve` over plain HTTP, as it runs here. Run `dispatch`, which answers no requests, with --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=2)"]
CMD ["verify-gateway", "serve"]
