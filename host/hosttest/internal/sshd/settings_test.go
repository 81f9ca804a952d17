package sshd_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestSettings compares what sshd -T says of configurations, for a user, with the real sshd.
func TestSettings(t *testing.T) {
	const show = `
/usr/sbin/sshd -T -f "$PWD/c" -C user=daemon | grep -e ^authorizedkeysfile -e ^strictmodes -e '^pubkeyauthentication ' -e ^permitroot -e ^allowu -e ^deny -e ^allowg | sort`
	debiantest.CompareOutput(t, real.Missing, map[string]string{
		"nothing":      `: >c` + show,
		"first counts": `printf 'StrictModes no\nstrictmodes yes\nPermitRootLogin prohibit-password\n' >c` + show,
		"match": `printf 'AuthorizedKeysFile /a/%%u\nMatch User daemon\nAuthorizedKeysFile /b/%%u /c\nMatch ` +
			`all\nPubkeyAuthentication no\n' >c` + show,
		"no match": `printf 'Match User root,da\nAuthorizedKeysFile /b\nMatch Address 192.0.2.1\nPubkeyAuthentication no\n' >c` + show,
		"group":    `printf 'Match Group da*\nPubkeyAuthentication no\n' >c` + show,
		"included": `mkdir d; printf 'Match User daemon\nAuthorizedKeysFile none\n' >d/1.conf; printf ` +
			`'StrictModes=no\n' >d/2.conf; printf 'Include %s/d/*.conf\nStrictModes yes\n' "$PWD" >c` + show,
		"lists":          `printf 'AllowUsers b a\nAllowUsers c*\nDenyGroups x\nMatch User daemon\nAllowUsers d e\n' >c` + show,
		"not in a match": `printf 'Match User root\nStrictModes no\n' >c; /usr/sbin/sshd -t -f "$PWD/c" 2>&1 | tr -d '\r' | sed 's,^.*/c ,,'`,
		"included within": `mkdir d; printf 'PubkeyAuthentication no\n' >d/1.conf; printf 'Match User root\nInclude ` +
			`%s/d/*.conf\n' "$PWD" >c` + show,
	}, "/usr/sbin/sshd")
}

// TestSetpriv compares what setpriv runs a program as.
func TestSetpriv(t *testing.T) {
	debiantest.CompareOutput(t, real.Missing, map[string]string{
		"user":    `setpriv --reuid=1 --regid=1 --init-groups -- sh -c 'id -u; id -g; echo "$1"' sh "a b"`,
		"exit":    `setpriv --reuid=1 --regid=1 --init-groups -- sh -c 'exit 3'; echo $?`,
		"no file": `umask 077; echo x >f; setpriv --reuid=1 --regid=1 --init-groups -- cat f; echo $?`,
	}, "setpriv")
}
