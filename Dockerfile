# Two images from one file: `gateway` (no torch) and `worker` (one stage each).
#   docker build --target gateway -t cascade-gateway .
#   docker build --target worker  -t cascade-worker .
FROM python:3.12-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
RUN useradd --create-home --uid 1000 cascade
WORKDIR /app
COPY pyproject.toml README.md ./
COPY models models
COPY workers workers
COPY service service

FROM base AS gateway
RUN pip install .
USER cascade
ENV CASCADE_HOST=0.0.0.0 CASCADE_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["cascade", "gateway"]

FROM base AS worker
# Where torch comes from: PyPI's build is for CUDA; pass another index for a CPU or another CUDA version.
ARG TORCH_INDEX_URL=""
RUN pip install ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch && pip install '.[worker]'
RUN mkdir -p /checkpoints && chown -R cascade /checkpoints
USER cascade
ENV CASCADE_CHECKPOINTS_DIR=/checkpoints
# SIGTERM hands the running stage back after CASCADE_DRAIN_S: give the container longer than that to stop.
STOPSIGNAL SIGTERM
ENTRYPOINT ["cascade", "worker"]
CMD ["keyframes"]
