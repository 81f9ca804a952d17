// Command vault brings up a Vault, and keeps it as a document says.
//
//	vault status --address https://HOST:8200                          show how it stands; exit 3 unless it serves
//	vault init   --address ... --keep DIR                             initialise it, once, and keep its keys in DIR
//	vault unseal --address ... --keys file:PATH                       unseal it
//	vault login  --address ... --role NAME --id-token REF --out FILE  log in as a CI job does, and write the token
//	vault logout --address ... --token file:FILE                      revoke that token
//	vault sweep  --address ... --token file:PATH [--apply]            leases that have ended and could not be revoked
//	vault plan  --address https://HOST:8200 --token file:PATH [flags] VAULT.yaml   show what would be done; exit 2 when there is any
//	vault apply --address https://HOST:8200 --token file:PATH [flags] VAULT.yaml   do it
//	vault schema                                                                  the JSON schema of VAULT.yaml
//
// Nothing is taken from the environment but what a flag or the document names: no VAULT_ADDR, no VAULT_TOKEN, no
// ~/.vault-token. Only a server on this machine is reached, or one in the networks that --allow names. Exit codes: 0
// done or nothing to do, 2 changes pending, 3 blocked (sealed, not initialised), 4 refused, 1 error, 130 interrupted.
package main

import (
	_ "embed"
	"log/slog"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

//go:embed schema.json
var schema string

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "vault", Short: "bring up a Vault, and keep it as a document says",
		Long: `Bring up a Vault, and keep it as a document says.

Nothing is taken from the environment but what a flag or the document names.
Only a server on this machine is reached, or one in the networks that --allow
names.

` + cli.ExitCodes}
	root.AddCommand(statusCommand(), initCommand(), unsealCommand(), loginCommand(), logoutCommand(), planCommand(), applyCommand(),
		sweepCommand(),
		cli.PrintCommand("schema", "print the JSON schema of VAULT.yaml", schema))
	return root
}

// options are how the server is reached.
type options struct {
	address, ca, cluster string
	allow                []string
	plaintext            bool
	access

	counters httpx.Counters
}

// flags defines the flags of a command that reaches the server.
func (o *options) flags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&o.address, "address", "", "the server, `https://HOST:8200`")
	flags.StringVar(&o.ca, "ca", "", "the `file` with the certificates of the server; without it, the system's")
	flags.StringVar(&o.cluster, "cluster", "", "the `ID` of the cluster that the server must prove")
	flags.StringArrayVar(&o.allow, "allow", nil, "a `network` or address that the server may be in when it is not on "+
		"this machine, as 192.168.1.202/32 (may be repeated)")
	flags.BoolVar(&o.plaintext, "plaintext", false, "allow http:// for a server elsewhere")
	cli.Require(c, "address")
}

// server returns the server that the flags name.
func (o *options) server(c *cobra.Command) (*vaultprov.Server, error) {
	s := &vaultprov.Server{Address: o.address, Plaintext: o.plaintext, Cluster: o.cluster, Counters: &o.counters,
		Log: slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{ReplaceAttr: withoutTime}))}
	var err error
	if s.Boundary, err = cli.Allow(o.allow); err != nil {
		return nil, err
	}
	if o.ca != "" {
		pem, err := cli.Dir("").ReadFile(o.ca)
		if err != nil {
			return nil, &lab.Error{Op: "read certificates", Path: o.ca, Err: err}
		}
		s.CA = string(pem)
	}
	return s, nil
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// say says with which flag a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case vaultprov.SettingCluster:
		return "--cluster " + s.Value
	case vaultprov.SettingToken:
		return "--token file:PATH"
	case vaultprov.SettingPlaintext:
		return "--plaintext"
	case lab.SettingBoundary:
		return "--allow " + s.Value
	case vaultprov.SettingMaxDeletes:
		return "maxDeletes: " + s.Value + " in VAULT.yaml"
	}
	return ""
}
