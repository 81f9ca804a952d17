# Prints when the files that are the arguments were changed, when the server has read its files, and
# which settings only a restart changes.
stat -c 'changed %.9Z' -- "$@" 2>/dev/null
query "SELECT 'loaded', extract(epoch FROM pg_conf_load_time());
SELECT 'pending', name FROM pg_settings WHERE pending_restart ORDER BY name;
SELECT 'postmaster', name FROM pg_settings WHERE context = 'postmaster';"
