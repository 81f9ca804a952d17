# Prints the complete snapshots: name, version, datastore, bytes.
# shellcheck disable=SC2154 # dir is prepended
for d in "$dir"/*; do
  if [ -f "$d/about" ]; then
    read -r version datastore bytes _ <"$d/about" || continue
    echo "${d##*/} $version $datastore $bytes"
  fi
done
