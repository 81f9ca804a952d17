package host_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// keyCase is an account kim that is to get a key, as somebody has left it.
type keyCase struct {
	name    string
	before  string // as root
	config  string // of sshd
	refused string // what the plan's error says; empty means that the key can log in after the apply
	hint    string // of that error
	check   string // as root, after the apply; KEY stands for the key
}

// keyCases come with an sshd that has Debian's configuration, and the home /home/kim.
func keyCases() []keyCase {
	const elsewhere = "AuthorizedKeysFile /etc/ssh/keys/%u\n"
	return []keyCase{
		{name: "nothing special", check: `[ "$(stat -c '%a %U' /home/kim/.ssh /home/kim/.ssh/authorized_keys)" = "700 kim
600 kim" ]`},
		{name: "a directory that all can write to", before: "install -d -m 0777 -o kim -g kim /home/kim/.ssh",
			check: "[ $(stat -c %a /home/kim/.ssh) = 755 ]"},
		{name: "a file that all can write to", check: "[ $(stat -c %a /home/kim/.ssh/authorized_keys) = 644 ]",
			before: "cd /home/kim; install -d -m 0700 -o kim -g kim .ssh; install -m 0666 -o kim -g kim /dev/null .ssh/authorized_keys"},
		{name: "the key in a file that all can write to", check: "[ $(stat -c %a /home/kim/.ssh/authorized_keys) = 644 ]",
			before: "cd /home/kim; install -d -m 0700 -o kim -g kim .ssh; echo KEY >.ssh/authorized_keys; " +
				"chown kim .ssh/authorized_keys; chmod 0666 .ssh/authorized_keys"},
		{name: "a home that all can write to", before: "chmod 0777 /home/kim",
			refused: "/home/kim has mode 0777", hint: "chmod go-w /home/kim"},
		{name: "a home that all can write to, where that does not matter", before: "chmod 0777 /home/kim", config: "StrictModes no\n"},
		{name: "a home of another account", before: "chown daemon /home/kim",
			refused: "/home/kim belongs to another account", hint: "chown kim /home/kim"},
		{name: "a home that the account's own group can write to", before: "chmod g+w /home/kim"},
		{name: "a home that a group of several can write to", before: "chmod g+w /home/kim; gpasswd -a daemon kim",
			refused: "/home/kim has mode", hint: "chmod go-w /home/kim"},
		{name: "a home that does not exist", before: "rm -r /home/kim", refused: "the home /home/kim", hint: "directory resource"},
		{name: "a directory of root", before: "mkdir /home/kim/.ssh",
			refused: "does not belong to the account", hint: "chown kim /home/kim/.ssh"},
		{name: "a file that the account cannot read", hint: "chown kim",
			before:  "install -d -o kim /home/kim/.ssh; install -m 0600 /dev/null /home/kim/.ssh/authorized_keys",
			refused: "cannot read /home/kim/.ssh/authorized_keys"},
		{name: "not a file", before: "install -d -o kim /home/kim/.ssh /home/kim/.ssh/authorized_keys",
			refused: "is not a regular file", hint: "move it away"},
		{name: "keys elsewhere", config: elsewhere, before: "mkdir -p /etc/ssh/keys",
			check: `[ "$(stat -c '%a %U' /etc/ssh/keys/kim)" = "644 root" ] && [ ! -e /home/kim/.ssh ]`},
		{name: "keys elsewhere, where nothing is yet", config: elsewhere, check: "[ $(stat -c %a /etc/ssh/keys) = 755 ]"},
		{name: "keys elsewhere, in a directory that all can write to", config: elsewhere, before: "install -d -m 0777 /etc/ssh/keys",
			refused: "/etc/ssh/keys has mode 0777", hint: "chmod go-w /etc/ssh/keys"},
		{name: "a link within the home", check: "[ -h /home/kim/.ssh/authorized_keys ] && grep -q old /home/kim/dot/keys",
			before: "cd /home/kim; install -d -o kim dot .ssh; echo '# old' >dot/keys; chown kim dot/keys; ln -s ../dot/keys .ssh/authorized_keys"},
		{name: "a link to a file of several accounts", hint: "replace the link",
			before:  "touch /etc/ssh/shared; install -d -o kim /home/kim/.ssh; ln -s /etc/ssh/shared /home/kim/.ssh/authorized_keys",
			refused: "is a link to /etc/ssh/shared", check: "[ ! -s /etc/ssh/shared ]"},
		{name: "a link to what only root can read", hint: "replace the link",
			before:  "install -d -o kim /home/kim/.ssh; ln -s /etc/shadow /home/kim/.ssh/authorized_keys",
			refused: "is a link to /etc/shadow"},
		{name: "a link with a newline, which must not be taken for an answer", hint: "replace the link",
			before: `install -d -o kim /home/kim/.ssh; ln -s "/home/kim/x
homeless" /home/kim/.ssh/authorized_keys`,
			refused: "a link to a path with a newline"},
		{name: "a file of all accounts", config: "AuthorizedKeysFile /etc/ssh/shared\n",
			refused: "for all accounts", hint: "%u", check: "[ ! -e /etc/ssh/shared ]"},
		{name: "in a file of all accounts already", config: "AuthorizedKeysFile /etc/ssh/shared\n",
			before: "echo KEY >/etc/ssh/shared", check: "rm /etc/ssh/shared"},
		{name: "keys are not accepted", config: "Match User kim\nPubkeyAuthentication no\n",
			refused: "PubkeyAuthentication no", hint: "PubkeyAuthentication yes"},
		{name: "the account is not let in", config: "AllowUsers pi root sudo-*\n", refused: "AllowUsers", hint: "AllowUsers"},
		{name: "the account is kept out", config: "DenyUsers k?m\n", refused: "DenyUsers", hint: "DenyUsers"},
		{name: "the group is not let in", config: "AllowGroups pi sudo\n", refused: "AllowGroups", hint: "AllowGroups"},
		{name: "the group is kept out", config: "DenyGroups kim\n", refused: "DenyGroups", hint: "DenyGroups"},
		{name: "lists that let the account in", config: "AllowUsers pi k*\nDenyUsers kim2 kim@192.0.2.1\nAllowGroups pi kim sudo\n"},
		{name: "keys are not read", config: "AuthorizedKeysFile none\n", refused: "AuthorizedKeysFile none", hint: ".ssh/authorized_keys"},
		{name: "an odd configuration", config: "PubkeyAuthentication maybe\n", refused: "does not accept its configuration", hint: "sshd_config"},
		{name: "in the second file, for one place", check: "! grep -q from= /home/kim/.ssh/authorized_keys2",
			before: "install -d -m 0700 -o kim /home/kim/.ssh; " +
				"echo 'from=\"192.0.2.1\" KEY' >/home/kim/.ssh/authorized_keys2; chown kim /home/kim/.ssh/authorized_keys2"},
		{name: "in both files, in the second for one place",
			check: "! grep -q from= /home/kim/.ssh/authorized_keys2 && grep -q theirs /home/kim/.ssh/authorized_keys2",
			before: "cd /home/kim; install -d -m 0700 -o kim .ssh; echo KEY >.ssh/authorized_keys; " +
				"{ echo '# theirs'; echo 'from=\"192.0.2.1\" KEY'; } >.ssh/authorized_keys2; chown kim .ssh/*"},
	}
}

// slashedKey returns a key whose base64 contains a slash, as half of them do.
func slashedKey(t *testing.T) (signer cryptossh.Signer, line string) {
	t.Helper()
	for {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err == nil {
			signer, err = cryptossh.NewSignerFromKey(private)
		}
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimSpace(string(cryptossh.MarshalAuthorizedKey(signer.PublicKey())))
		if strings.Contains(line, "/") {
			return signer, line
		}
	}
}

// authorizeKim tries a case on a machine, and leaves the machine as it was.
func authorizeKim(t *testing.T, c keyCase, m *host.Machine, target ssh.Target) {
	signer, key := slashedKey(t)
	run := func(script string) {
		t.Helper()
		r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: "set -e\n" + strings.ReplaceAll(script, "KEY", key)})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
	}
	const config = "/etc/ssh/sshd_config.d/kim.conf"
	const restart = "systemctl reset-failed ssh; systemctl restart ssh" // systemd limits how often
	defer run("rm -f " + config + "; while id kim >/dev/null 2>&1 && ! userdel kim; do sleep 0.1; done; if getent group " +
		"kim; then groupdel kim; fi; " +
		"rm -rf /home/kim /etc/ssh/keys /etc/ssh/shared; " + restart)
	run("useradd -m -s /bin/sh kim; chmod 0755 /home/kim; " + c.before)
	run("printf %s " + ssh.Quote(c.config) + " >" + config)
	if c.refused != "does not accept its configuration" { // it would not start
		run(restart)
	}
	want := host.State{host.AuthorizedKey{User: "kim", Key: key}}
	if c.refused != "" {
		_, err := m.Plan(t.Context(), want)
		if err == nil || !errors.Is(err, lab.ErrConflict) && !errors.Is(err, lab.ErrNotFound) ||
			!strings.Contains(err.Error(), c.refused) || !strings.Contains(strings.Join(lab.Hints(err), "\n"), c.hint) {
			t.Errorf("the plan: %v, hints %q", err, lab.Hints(err))
		} else if strings.Contains(err.Error(), "root:") {
			t.Errorf("the plan shows what only root can read: %v", err)
		}
	} else {
		settle(t, m, want)
		target.User, target.Auth = "kim", ssh.Auth{Signers: []cryptossh.Signer{signer}}
		kim := &host.Machine{Target: target}
		defer kim.Close()
		if r, err := kim.Run(t.Context(), ssh.Command{Script: "id -un"}); err != nil || string(r.Stdout) != "kim\n" {
			t.Errorf("a login with the key: %q, %v", r.Stdout, err)
		}
	}
	if c.check != "" {
		run(c.check)
	}
	if c.refused == "" {
		settle(t, m, host.State{host.AuthorizedKey{User: "kim", Key: key, Absent: true}})
		run("! grep -r -F 'KEY' /home/kim /etc/ssh")
	}
}

// TestKeysAreAccepted: after an apply sshd lets the key in, wherever it reads keys and whatever was there;
// otherwise the plan says why it would not.
func TestKeysAreAccepted(t *testing.T) {
	for _, c := range keyCases() {
		t.Run(c.name, func(t *testing.T) {
			box, m := open(t, hosttest.Config{})
			authorizeKim(t, c, m, inProcess(box))
		})
	}
}

// TestKeysAreAcceptedOnMachine does the same on a real Debian machine.
func TestKeysAreAcceptedOnMachine(t *testing.T) {
	target := realTarget(real.Machines(t, 1)[0])
	m := &host.Machine{Target: target}
	defer m.Close()
	for _, c := range keyCases() {
		t.Run(c.name, func(t *testing.T) { authorizeKim(t, c, m, target) })
	}
}

// TestKeysFollowTheirConfiguration: one plan that changes where sshd reads keys puts the key there.
func TestKeysFollowTheirConfiguration(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	_, key := slashedKey(t)
	settle(t, m, host.State{
		host.File{Path: "/etc/ssh/sshd_config.d/keys.conf", Content: "AuthorizedKeysFile /etc/ssh/keys/%u\n"},
		host.AuthorizedKey{User: "pi", Key: key},
		host.User{Name: "kim"},
		host.AuthorizedKey{User: "kim", Key: key},
	})
	for _, user := range []string{"pi", "kim"} {
		if b, err := box.FS().ReadFile("/etc/ssh/keys/" + user); err != nil || string(b) != key+"\n" {
			t.Errorf("the keys of %s: %q, %v", user, b, err)
		}
	}
}
