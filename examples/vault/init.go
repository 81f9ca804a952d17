package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

func initCommand() *cobra.Command {
	o, request := &options{}, cli.Request{Apply: true}
	var keep, fallback string
	var recipients, pgp []string
	spec := vaultprov.Init{}
	c := &cobra.Command{Use: "init --address URL --keep DIR [flags]", Args: cli.Words(0, 0),
		Short: "initialise the server, once, and keep its keys"}
	o.flags(c)
	request.Flags(c)
	flags := c.Flags()
	flags.StringVar(&keep, "keep", "", "the `directory` in which the keys are kept, mode 0700; on no machine that the "+
		"server needs")
	flags.StringVar(&fallback, "fallback", "", "another `directory`, for when the first does not take them")
	flags.StringVar(&spec.Name, "name", "", "the `name` of the file with the keys; without it, vault-init")
	flags.IntVar(&spec.Shares, "shares", 0, "into how many shares the key is split; 0 means 5")
	flags.IntVar(&spec.Threshold, "threshold", 0, "how many of them unseal it; 0 means 3, or all if there are fewer")
	flags.StringArrayVar(&recipients, "recipient", nil, "a recipient of age, `age1...`, to which the file is "+
		"encrypted (may be repeated)")
	flags.StringArrayVar(&pgp, "pgp-key", nil, "the `file` with a public key of PGP, not armored, with which the "+
		"server encrypts a share "+
		"(one for each share)")
	cli.Require(c, "keep")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		spec.Sink = lab.SecretDir{Path: keep}
		if fallback != "" {
			spec.Fallback = lab.SecretDir{Path: fallback}
		}
		if spec.Encrypt, err = encryptTo(recipients); err != nil {
			return err
		}
		for _, file := range pgp {
			key, err := os.ReadFile(file)
			if err != nil {
				return &lab.Error{Op: "read public key", Path: file, Err: err}
			}
			spec.PGPKeys = append(spec.PGPKeys, base64.StdEncoding.EncodeToString(key))
		}
		return o.execute(c, request, func(s *vaultprov.Server) (*lab.Plan, error) { return s.Init(c.Context(), spec) })
	}
	return c
}

// execute plans, asks and applies, with a token if one is named.
func (o *options) execute(c *cobra.Command, request cli.Request,
	plan func(*vaultprov.Server) (*lab.Plan, error)) error {
	out, err := cli.PrinterOf(c, say)
	if err != nil {
		return err
	}
	s, done, err := o.open(c)
	if err != nil {
		return err
	}
	p, err := plan(s)
	if err == nil {
		_, err = out.Execute(c.Context(), p, request)
	}
	err = errors.Join(err, done())
	out.Summary(map[string]any{"verb": c.Name(), "changes": len(p.Changes())}, err)
	return err
}

// encryptTo returns what encrypts to recipients of age, as age -a does; nil if there are none.
func encryptTo(texts []string) (func(lab.Secret) (lab.Secret, error), error) {
	if len(texts) == 0 {
		return nil, nil
	}
	recipients, err := age.ParseRecipients(strings.NewReader(strings.Join(texts, "\n")))
	if err != nil {
		return nil, cli.Usage("--recipient: %v", err)
	}
	return func(s lab.Secret) (lab.Secret, error) {
		var text bytes.Buffer
		armored := armor.NewWriter(&text)
		w, err := age.Encrypt(armored, recipients...)
		if err == nil {
			_, err = io.WriteString(w, s.Reveal())
		}
		if err == nil {
			err = w.Close()
		}
		if err == nil {
			err = armored.Close()
		}
		if err != nil {
			return lab.Secret{}, fmt.Errorf("encrypt with age: %w", err)
		}
		return lab.NewSecret(text.String()), nil
	}, nil
}
