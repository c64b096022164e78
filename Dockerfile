# q3 serve in a container: docker build -t q3 . && docker run -p 8080:8080 -v /path/to/models:/models:ro -e API_KEY=... q3 \
#     --model /models/Qwen3-Embedding-0.6B-Q8_0.gguf
#
# Both stages are Debian 12, so that the binary finds the C library that it was linked with.
FROM swift:6.3-bookworm AS build
RUN apt-get update -q && apt-get install -y -q --no-install-recommends libcurl4-openssl-dev libomp-dev libsqlite3-dev make zlib1g-dev python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /q3
# The dependencies alone first: they stay cached while q3's own sources change.
COPY Package.swift ./
RUN swift package resolve
COPY . .
# As `make dist` makes it: the Swift runtime inside, libomp beside it.
RUN make dist-files && scripts/make-dist tree /opt/q3

FROM debian:bookworm-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin q3
COPY --from=build /opt/q3 /usr/local
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# There is no curl here; bash can speak enough HTTP.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/${PORT:-8080} && printf 'GET /ready HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
# A container's own loopback reaches nobody. Without API_KEY or --api-key-file this refuses to start.
ENTRYPOINT ["q3", "serve", "--hostname", "0.0.0.0"]
