# Two images from one file, with the versions that the tests ran with (constraints.txt): `gateway`, without torch and
# without weights, and `worker`, for one or several queues.
#   docker build --target gateway -t cascade-gateway .
#   docker build --target worker  -t cascade-worker .
# Any image with Python 3.11 or newer, its venv module and useradd will do as the base.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PATH=/opt/cascade/bin:$PATH
RUN useradd --create-home --uid 1000 cascade
WORKDIR /home/cascade

# What the gateway needs of other packages: built anew only when the versions change.
FROM base AS gateway-libraries
# Where pip finds packages, for machines that do not reach PyPI; repeated below, as each stage forgets them.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
WORKDIR /source
RUN python3 -m venv /opt/cascade
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > gateway.txt \
 && pip install --constraint constraints.txt --requirement gateway.txt

FROM gateway-libraries AS gateway-installed
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
COPY README.md LICENSE ./
COPY service service
COPY workers workers
COPY models models
# The links cascade/models, cascade/workers and cascade/service lead to the folders above.
COPY cascade cascade
RUN rm -r models/weights && pip install --constraint constraints.txt .

FROM base AS gateway
COPY --from=gateway-installed /opt/cascade /opt/cascade
USER 1000
ENV CASCADE_HOST=0.0.0.0 CASCADE_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://localhost:%s/healthz' % os.environ['CASCADE_PORT'], timeout=4)"]
CMD ["cascade", "gateway"]

FROM gateway-libraries AS worker-libraries
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
# Where torch comes from: PyPI's build is for CUDA; pass another index for a CPU or another CUDA version.
ARG TORCH_INDEX_URL=""
RUN pip install --constraint constraints.txt ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['worker'], sep='\n')" > worker.txt \
 && pip install --constraint constraints.txt --requirement worker.txt

FROM worker-libraries AS worker-installed
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
COPY README.md LICENSE ./
COPY service service
COPY workers workers
COPY models models
COPY cascade cascade
RUN pip install --constraint constraints.txt '.[worker]'

FROM base AS worker
RUN mkdir -p /checkpoints && chown -R cascade /checkpoints
COPY --from=worker-installed /opt/cascade /opt/cascade
USER 1000
# The root is read-only where compose and deploy/ run this: what is downloaded goes beside the checkpoints.
ENV CASCADE_CHECKPOINTS_DIR=/checkpoints HF_HOME=/checkpoints/.hub
# SIGTERM hands the running stage back after CASCADE_DRAIN_S: give the container longer than that to stop.
STOPSIGNAL SIGTERM
ENTRYPOINT ["cascade", "worker"]
CMD ["shapes.keyframes"]
