# Prints why the server still runs with an earlier ca.json, nothing if it does not: it ignores one that it
# cannot use, and systemd does not learn of that. A start reads the file too. The last 5000 lines are enough:
# the server writes one for each request.
journalctl -q -u step-ca.service -b -n 5000 -o cat |
  awk '/reloading \.\.\./ || /^Started / { why = "" } /error reloading/ { why = $0 } END { if (why != "") print why }'
