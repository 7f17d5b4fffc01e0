# One file for every image: docker build --build-arg DEPLOYABLE=order -t cartwright/order:0.1.0 .
# DEPLOYABLE is a service (identity catalog inventory cart order payment shipping promotion notification analytics),
# `gateway`, which also holds the storefront, or `cartwright`, all of them in one process with the operator's tools.
ARG DEPLOYABLE=cartwright

FROM node:20-bookworm-slim AS storefront
WORKDIR /src
COPY buf.yaml buf.lock* ./
COPY proto proto
COPY storefront storefront
RUN cd storefront && npm ci --no-audit --no-fund && npm run build

FROM rust:1.95-slim-bookworm AS build
ARG DEPLOYABLE
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --workspace --bin "$DEPLOYABLE" && cp "target/release/$DEPLOYABLE" /deployable \
    && mkdir -p /storefront

FROM build AS collected
COPY --from=storefront /src/storefront/dist /built
ARG DEPLOYABLE
RUN case "$DEPLOYABLE" in gateway|cartwright) cp -a /built/. /storefront/ ;; esac
# On its own machine the one process listens for itself alone; in a container that would be for nobody.
RUN case "$DEPLOYABLE" in \
      cartwright) printf "listen = '0.0.0.0:8080'\nmetrics_listen = '0.0.0.0:9100'\n" ;; \
    esac > /settings.toml

FROM debian:bookworm-slim
COPY --from=collected /deployable /usr/local/bin/deployable
COPY --from=collected /storefront /usr/share/cartwright/storefront
COPY --from=collected /settings.toml /etc/cartwright/settings.toml
ENV STOREFRONT_DIR=/usr/share/cartwright/storefront DATA_DIR=/var/lib/cartwright \
    CARTWRIGHT_CONFIG=/etc/cartwright/settings.toml
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/deployable"]
