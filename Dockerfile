# docker build -t ohmstead .
# docker run -d --name ohmstead -p 127.0.0.1:7230:7230 -v ohmstead:/config ohmstead
FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/ohmstead \
 && /opt/ohmstead/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY ohmstead ohmstead
RUN /opt/ohmstead/bin/pip install --no-cache-dir --no-deps . \
 && /opt/ohmstead/bin/python -m compileall -q /opt/ohmstead/lib

FROM python:3.12-slim
COPY --from=build /opt/ohmstead /opt/ohmstead
RUN useradd --no-create-home --uid 7230 --home-dir /config --shell /usr/sbin/nologin ohmstead \
 && install -d -o ohmstead -g ohmstead -m 700 /config
# Inside a container the whole network is the container's own; what of it is reachable, `-p` says.
ENV PATH=/opt/ohmstead/bin:$PATH \
    OHMSTEAD_CONFIG=/config \
    OHMSTEAD_HOST=0.0.0.0 \
    OHMSTEAD_PORT=7230 \
    PYTHONUNBUFFERED=1
USER ohmstead
WORKDIR /config
VOLUME /config
EXPOSE 7230
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['OHMSTEAD_PORT']}/health\", timeout=4)"]
CMD ["ohmstead", "run"]
