#!/bin/sh
program=$(command -v gitea-runner || command -v act_runner) || { echo 'no runner in this image'; exit 1; }
cd /data || exit 1
until [ -s .runner ]; do
  rm -f .runner
  { cat "$GITEA_RUNNER_REGISTRATION_TOKEN_FILE"; echo; } | "$program" register --config "$CONFIG_FILE" --instance "$GITEA_INSTANCE_URL" --name "$GITEA_RUNNER_NAME"
  [ -s .runner ] || { echo 'not registered: tried again in 5 s'; sleep 5; }
done
if ! grep -qF "\"address\": \"$GITEA_INSTANCE_URL\"" .runner; then
  sed "s|\"address\": *\"[^\"]*\"|\"address\": \"$GITEA_INSTANCE_URL\"|" .runner >.runner.lab && chmod 600 .runner.lab && sync && mv -f .runner.lab .runner || exit 1
fi
exec "$program" daemon --config "$CONFIG_FILE"
