#!/bin/sh
# A private certificate authority and a certificate for the broker, for those who have none of their own.
#   deploy/mosquitto/make-certs.sh broker.example [FOLDER]
# Writes ca.crt (give it to every edge), ca.key (keep it offline), server.crt, server.key.
set -eu
name=${1:?"name the broker's host: make-certs.sh broker.example [FOLDER]"}
folder=${2:-deploy/mosquitto/certs}
umask 077
mkdir -p "$folder"
cd "$folder"
if [ -e server.key ]; then
    echo "make-certs: $folder/server.key is there already; remove it to make a new one" >&2
    exit 1
fi
if [ ! -e ca.key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=hcawatch broker authority" -keyout ca.key -out ca.crt
fi
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout server.key -out server.csr
printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$name" > server.ext
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -extfile server.ext -out server.crt
rm -f server.csr server.ext
# the container's broker runs as another user: certificates are public, its key is readable by that user's group
chmod 644 ca.crt server.crt
chmod 640 server.key
echo "make-certs: wrote $folder/ca.crt, server.crt and server.key for $name; keep ca.key offline"
