#!/bin/sh
# Makes the namespace and the search attributes that Fairlead's workflows carry. Safe to repeat. Reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu

# Closed workflows stay visible this long. The ledgers of runs stay in Fairlead's own database.
retention=30d
attributes='AccountId ListId ConnectionId RunKind'

# Every command is tried for up to two minutes: the server needs a moment to start, and another to know a new namespace.
try() {
  tries=60
  until "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      echo "gave up: $*" >&2
      exit 1
    fi
    sleep 2
  done
}

have_namespace() {
  temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$retention"
}

have_attribute() {
  temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" 2>/dev/null | grep -qw "$1" ||
    temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$1" --type Keyword
}

try temporal operator cluster health
try have_namespace
for name in $attributes; do
  try have_attribute "$name"
done
echo "namespace $TEMPORAL_NAMESPACE is ready"
