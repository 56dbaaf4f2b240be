# Two images from one file, with the versions that the tests ran with (constraints.txt): `gateway`, without torch and
# without weights, and `worker`, for one or several queues.
#   docker build --target gateway -t cascade-gateway .
#   docker build --target worker  -t cascade-worker .
FROM python:3.12-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PATH=/opt/cascade/bin:$PATH
RUN useradd --create-home --uid 1000 cascade
WORKDIR /home/cascade

FROM base AS source
WORKDIR /source
RUN python -m venv /opt/cascade
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY service service
COPY workers workers
COPY models models
# The links cascade/models, cascade/workers and cascade/service lead to the folders above.
COPY cascade cascade

FROM source AS gateway-installed
RUN rm -r models/weights && pip install --constraint constraints.txt .

FROM base AS gateway
COPY --from=gateway-installed /opt/cascade /opt/cascade
USER cascade
ENV CASCADE_HOST=0.0.0.0 CASCADE_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["cascade", "gateway"]

FROM source AS worker-installed
# Where torch comes from: PyPI's build is for CUDA; pass another index for a CPU or another CUDA version.
ARG TORCH_INDEX_URL=""
RUN pip install --constraint constraints.txt ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch \
 && pip install --constraint constraints.txt '.[worker]'

FROM base AS worker
COPY --from=worker-installed /opt/cascade /opt/cascade
RUN mkdir -p /checkpoints && chown -R cascade /checkpoints
USER cascade
ENV CASCADE_CHECKPOINTS_DIR=/checkpoints
# SIGTERM hands the running stage back after CASCADE_DRAIN_S: give the container longer than that to stop.
STOPSIGNAL SIGTERM
ENTRYPOINT ["cascade", "worker"]
CMD ["shapes.keyframes"]
