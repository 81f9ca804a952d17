# Prints the volumes of Longhorn as the API has them; nothing where there is no Longhorn.
ask() { /usr/local/bin/k3s kubectl get --raw /apis/longhorn.io/v1beta2/volumes; }
if o=$(ask 2>/dev/null); then
  printf %s "$o"
  exit 0
fi
e=$(ask 2>&1 >/dev/null) || case $e in *NotFound* | *'could not find the requested resource'*) exit 0 ;; esac
echo "Longhorn cannot be asked: $e" >&2
exit 1
