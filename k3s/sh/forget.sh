# Removes a node that is lost from the cluster. k3s removes its member of etcd, and its password, before the object is gone.
#
# node. timeout: "600s"
# shellcheck disable=SC2154 # the caller prepends them
/usr/local/bin/k3s kubectl delete node "$node" --timeout="$timeout" </dev/null >/dev/null
