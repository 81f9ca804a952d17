# Waits until a runner that has no registration has one again.
: "${i:?}" "${file:?}"
if [ ! -s "$file" ]; then restart; fi
registered() { [ -s "$file" ]; }
wait_for registered || {
  docker logs --tail 10 "$i" 2>&1
  echo 'the runner has not registered'
  exit 1
}
wait_until_healthy
