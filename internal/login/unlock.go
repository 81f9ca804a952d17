package login

import (
	"context"
	"fmt"
	"os"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// attempts is how often a passphrase is asked for, as by ssh(1).
const attempts = 3

// UnlockTargets asks for the passphrases of the encrypted keys with which the targets and their jumps
// are logged in to, each once. Without a terminal it does nothing: the login reports the key.
func UnlockTargets(ctx context.Context, terminal *cli.Terminal, targets ...*ssh.Target) error {
	known := map[string]lab.Secret{}
	for _, t := range targets {
		lists := [][]ssh.KeyFile{t.Auth.KeyFiles}
		for i := range t.Jump {
			lists = append(lists, t.Jump[i].Auth.KeyFiles)
		}
		for _, files := range lists {
			for i := range files {
				if err := unlock(ctx, terminal, &files[i], known); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unlock asks for the passphrase of a key, if it needs one that is not known.
func unlock(ctx context.Context, terminal *cli.Terminal, file *ssh.KeyFile, known map[string]lab.Secret) error {
	pem, err := os.ReadFile(file.Path)
	if terminal == nil || err != nil || !file.Passphrase.IsZero() || !encrypted(pem) {
		return nil // the login reports what is wrong with it
	}
	if phrase, ok := known[file.Path]; ok {
		file.Passphrase = phrase
		return nil
	}
	for range attempts {
		phrase, err := terminal.AskSecret(ctx, fmt.Sprintf("Passphrase of %s: ", lab.Printable(file.Path)))
		if err != nil {
			return err
		}
		if _, err := cryptossh.ParseRawPrivateKeyWithPassphrase(pem, []byte(phrase.Reveal())); err == nil {
			file.Passphrase, known[file.Path] = phrase, phrase
			return nil
		}
	}
	return &lab.Error{Op: "read key", Path: file.Path, Hint: "try it: ssh-keygen -y -f " + ssh.Quote(file.Path),
		Err: fmt.Errorf("%w: the passphrase does not decrypt it", lab.ErrUnauthorized)}
}
