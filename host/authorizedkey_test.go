package host

import (
	"testing"
)

// TestKeyBody: the key is found after any options.
func TestKeyBody(t *testing.T) {
	for line, want := range map[string]string{
		"ssh-ed25519 AAAA":         "AAAA",
		"ssh-ed25519 AAAA a b":     "AAAA",
		"restrict ssh-rsa BBBB it": "BBBB",
		`command="ssh-wrapper CCCC x",no-pty ecdsa-sha2-nistp256 DDDD x`: "DDDD",
		`command="/bin/x ssh-add EEEE" sk-ssh-ed25519@openssh.com FFFF`:  "FFFF",
		`command="say \"ssh-x GGGG\"" ssh-ed25519 HHHH it's "x`:          "HHHH",
		"ssh-ed25519 AAAA\n": "AAAA", "\tssh-ed25519\tAAAA\r\n": "AAAA",
		"": "", "ssh-ed25519": "", "AAAA": "", `command="ssh-ed25519 AAAA`: "",
	} {
		if got := keyBody(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
