# Makes the server read its files again. pg_reload_conf only tells the postmaster to: the load time
# tells when it did.
before=$(query 'SELECT pg_conf_load_time()')
query 'SELECT pg_reload_conf()' >/dev/null
reloaded() { [ "$(query "SELECT pg_conf_load_time() > '$before'" 2>/dev/null)" = t ]; }
wait_for reloaded || {
  echo 'the server does not say that it has read its files'
  exit 1
}
