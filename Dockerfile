# syntax=docker/dockerfile:1
#
#   docker build --build-arg VERSION=v1.2.3 -t mooring .
#   docker run -p 127.0.0.1:8080:8080 --ulimit nofile=1048576 --stop-timeout 15 mooring
#
# --ulimit bounds the number of connections. --stop-timeout leaves the drain its ten seconds.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/mooring ./cmd/mooring

# The binary is static and needs no other file.
FROM scratch
COPY --from=build /out/mooring /mooring
USER 65532:65532
# A container is reached from outside by an address of its own, not on loopback.
ENV MOORING_LISTEN=:8080
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=5s CMD ["/mooring", "healthcheck"]
ENTRYPOINT ["/mooring"]
CMD ["serve"]
