package hosttest

import "testing"

func TestTry2(t *testing.T) {
	m := New(t, Config{})
	for _, c := range []string{
		"apt-get update && apt-get -y install jq curl", "dpkg-query -W -f='${Package}\t${Architecture}\t${db:Status-Abbrev}\t${Version}\n' -- curl jq ca-certificates",
	} {
		out, err := m.Exec("exec 2>&1; " + c + "; echo \"[$?]\"")
		t.Logf("$ %s\n%s%v", c, out, err)
	}
	m.Reboot()
	for _, c := range []string{
		"head -4 /var/lib/dpkg/status; dpkg-query -W -f='${Package}\t${Architecture}\t${db:Status-Abbrev}\t${Version}\n' -- curl jq ca-certificates",
	} {
		out, err := m.Exec("exec 2>&1; " + c + "; echo \"[$?]\"")
		t.Logf("$ %s\n%s%v", c, out, err)
	}
}
