#!/usr/bin/env bash
# Certificates that are trusted by nobody but the tests beside them: a root, and two servers that it vouches for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
days=36500

key() {
    openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1-key.pem"
}

server() {
    key "$1"
    openssl req -new -key "$1-key.pem" -subj "/CN=impasto test server $1" -out "$1.csr"
    printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' "$2" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA root.pem -CAkey root-key.pem -CAcreateserial -days "$days" -sha256 \
        -extfile "$1.ext" -out "$1.pem"
    rm "$1.csr" "$1.ext"
}

key root
openssl req -x509 -new -key root-key.pem -subj "/CN=impasto test root" -days "$days" -sha256 -out root.pem \
    -addext "keyUsage=critical,keyCertSign"
server here "IP:127.0.0.1,DNS:localhost,DNS:files.invalid"
server elsewhere "DNS:elsewhere.invalid"
# With the root's key gone, nobody will ever make another.
rm root-key.pem root.srl
