#!/usr/bin/env bash
# Asks a real rust-analyzer what people see in an editor, and writes the answers to benches/records/ under today's date.
# Installs what is missing: the server into target/editor (a build of about five minutes), the sources of the standard library by
# rustup. RUST_ANALYZER and RA_SYSROOT_SRC name others that are there already.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.0.330 # the newest that Rust 1.95 builds

if [ -z "${RUST_ANALYZER:-}" ]; then
    tools=$PWD/target/editor
    if [ ! -x "$tools/bin/rust-analyzer" ]; then
        env CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
            cargo install ra_ap_rust-analyzer --version "$version" --locked --root "$tools"
    fi
    export RUST_ANALYZER=$tools/bin/rust-analyzer
    echo "ra_ap_rust-analyzer $version"
fi
if [ -z "${RA_SYSROOT_SRC:-}" ] && [ ! -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then
    rustup component add rust-src
fi

server=$("$RUST_ANALYZER" --version)
record=benches/records/$(date +%F)-editor.md
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test -p ui-tests --test editor -- --nocapture 2>&1 | tee "$log"
{
    echo "# What an editor shows"
    echo
    echo "\`ui-tests/editor.sh\`, commit $(git rev-parse --short HEAD), $(rustc --version), $(nproc) cores. The server's own checks and answers, without"
    echo "\`cargo check\`; it is built without most optimisations, and runs beside whatever else the machine does."
    echo
    echo '```text'
    echo "$server" # a crate built by cargo calls itself 0.0.0
    grep -E '^(completion inside|[0-9]+ faults|test result)' "$log"
    grep -E '^test .* \.\.\. |^ok$' "$log" | grep -E '\.\.\. ' | sed 's/ has been running.*//' | sort
    echo '```'
} >"$record"
echo "$record"
