# The server as a static binary on an image without a shell, as a user without rights.
#   make docker-build
#   docker run --rm -p 7400:7400 -e VALKEYBATCH_VALKEY=host:6379 valkeybatch/valkeybatch-server:dev

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
# The build sees no repository: what --version says of it comes from outside (make docker-build).
ARG VERSION=container
ARG COMMIT=
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o /out/valkeybatch-server ./cmd/server

FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab
COPY --from=build /out/valkeybatch-server /valkeybatch-server
USER 65532:65532
# In a container loopback reaches nobody. Who changes where the server listens changes where
# the probe asks.
ENV VALKEYBATCH_LISTEN=0.0.0.0:7400 \
    VALKEYBATCH_HEALTHCHECK_ADDRESS=127.0.0.1:7400
EXPOSE 7400
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/valkeybatch-server", "healthcheck"]
ENTRYPOINT ["/valkeybatch-server"]
