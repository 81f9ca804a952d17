package pgprov

import "testing"

// TestServerHost: what can be no address is found before anything is dialled.
func TestServerHost(t *testing.T) {
	for host, good := range map[string]bool{
		"pi2": true, "pi2.arcodange.lab.": true, "192.168.1.202": true, "fd00::1": true, "/run/postgresql": true,
		"db_1": true, "": false, "192.168.1.999": false, "192.168.1": false, "pi2:5432": false, "a b": false, "-x": false,
		"postgres://pi2": false, "/run\x00": false, "[fd00::1]": false,
	} {
		if err := (&Server{Host: host}).Validate(); (err == nil) != good {
			t.Errorf("%q: %v", host, err)
		}
	}
}
