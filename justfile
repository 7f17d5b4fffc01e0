# Every command a person or CI types. `./just` runs them where just is not installed.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Lists the recipes.
default:
    @just --justfile {{ justfile() }} --list

# Builds the shop and starts all of it in one process, on embedded storage, with a few products to look at.
up *flags: storefront
    cargo build --release -p cartwright
    target="${CARGO_TARGET_DIR:-target}"; exec "$target/release/cartwright" serve --sample {{ flags }}

# Makes one purchase, told step by step, and audits the books.
demo *flags:
    cargo run -q -p cartwright -- demo {{ flags }}

# Runs one service, or the gateway, alone: such as `just run order --help`.
run service *flags:
    cargo build --workspace --bin {{ service }}
    "${CARGO_TARGET_DIR:-target}/debug/{{ service }}" {{ flags }}

# Brings a service's database up to date, such as `just migrate order`.
migrate service *flags:
    cargo build --workspace --bin {{ service }}
    "${CARGO_TARGET_DIR:-target}/debug/{{ service }}" {{ flags }} migrate

# Takes over the orders of an Online Retail file into the shop that runs.
import file *flags:
    cargo run -q -p cartwright -- import online-retail {{ file }} {{ flags }}

# Checks the books of the shop that runs.
audit *flags:
    cargo run -q -p cartwright -- audit {{ flags }}

# Passes all tests. Installs and privately starts PostgreSQL, RabbitMQ and Redis, and stops them at the end.
test: storefront-test browser
    scripts/test

# Checks format, lints, documentation, the contract, the chart and the dependencies.
lint: tools
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
    .tools/node_modules/.bin/buf lint
    .tools/node_modules/.bin/buf format --diff --exit-code proto
    scripts/tools chart
    scripts/chart
    ! cargo tree --workspace -i aws-lc-sys 2>/dev/null
    ! cargo tree --workspace -i openssl-sys 2>/dev/null

# Checks that the contract breaks nothing that the main branch promises.
breaking against='.git#branch=main': tools
    .tools/node_modules/.bin/buf breaking --against '{{ against }}'

# Measures the idle memory, the time to ready and the sizes of the release build.
footprint:
    cargo build --release -p cartwright
    scripts/footprint

# Measures checkouts and reads on private servers, beside what the machine could do at best: see `--help`.
bench *flags:
    cargo build --release --workspace --bins
    target="${CARGO_TARGET_DIR:-target}"; SERVERS_DURABLE=true scripts/with-servers "$target/release/bench" --out "$target/bench" {{ flags }}

# Kills, freezes and cuts off parts of the shop while customers buy, then audits it: see `--help`.
chaos *flags:
    cargo build --release --workspace --bins
    target="${CARGO_TARGET_DIR:-target}"; SERVERS_DURABLE=true scripts/with-servers "$target/release/chaos" --out "$target/chaos" {{ flags }}

# Plays the shop in one thread, with deaths and faults drawn from seeds, such as `just simulate 10000`: see docs/simulation.md.
simulate seeds="1000" *flags:
    cargo build --release -p simulation
    "${CARGO_TARGET_DIR:-target}/release/simulate" --seeds {{ seeds }} {{ flags }}

# Installs the tools that npm offers: buf; `lint` adds those of PyPI.
tools:
    scripts/tools

# Installs what drives a real browser in the tests.
browser:
    scripts/browser

# Builds the storefront into storefront/dist.
storefront: tools
    cd storefront && npm ci --silent --no-audit --no-fund && npm run --silent build

# Tests the storefront.
storefront-test: storefront
    cd storefront && npm run --silent test
