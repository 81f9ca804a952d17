# Prints the nodes of the cluster as the API has them; fails unless the API is ready.
/usr/local/bin/k3s kubectl get --raw /readyz --request-timeout=15s >/dev/null && /usr/local/bin/k3s kubectl get --raw /api/v1/nodes --request-timeout=15s
