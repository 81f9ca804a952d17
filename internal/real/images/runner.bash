#!/bin/bash
mkdir -p /data
cd /data || exit
config=()
if [ -n "${CONFIG_FILE:-}" ]; then config=(--config "$CONFIG_FILE"); fi
if [ -z "${GITEA_RUNNER_REGISTRATION_TOKEN:-}" ] && [ -f "${GITEA_RUNNER_REGISTRATION_TOKEN_FILE:-}" ]; then
	GITEA_RUNNER_REGISTRATION_TOKEN=$(cat "$GITEA_RUNNER_REGISTRATION_TOKEN_FILE")
fi
if [ ! -s "${RUNNER_STATE_FILE:-.runner}" ]; then
	until gitea-runner register --instance "$GITEA_INSTANCE_URL" --token "$GITEA_RUNNER_REGISTRATION_TOKEN" \
		--name "${GITEA_RUNNER_NAME:-$(hostname)}" "${config[@]}" --no-interactive 2>&1 |
		tee /tmp/reg.log && grep -q 'Runner registered successfully' /tmp/reg.log; do
		echo 'Waiting to retry ...'
		sleep 5
	done
fi
unset GITEA_RUNNER_REGISTRATION_TOKEN GITEA_RUNNER_REGISTRATION_TOKEN_FILE
exec gitea-runner daemon "${config[@]}"
