# Restarts the server, and waits until no setting needs another restart.
restart
settled() { [ "$(query 'SELECT count(*) = 0 FROM pg_settings WHERE pending_restart' 2>/dev/null)" = t ]; }
wait_for settled || {
  echo 'after the restart, there are still settings that need one'
  exit 1
}
wait_until_healthy
