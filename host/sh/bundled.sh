# Succeeds if the bundle of trusted certificates contains one.
#
# certificate: its base64, without newlines.
# shellcheck disable=SC2154 # the caller prepends it
tr -d ' \t\r\n' </etc/ssl/certs/ca-certificates.crt | grep -q -F -e "CERTIFICATE-----$certificate-----END"
