// Command bucket provisions buckets of Google Cloud Storage, and those who use them.
//
//	bucket plan  [flags] BUCKETS.yaml   show what would be done; exit 2 when there is any
//	bucket apply [flags] BUCKETS.yaml   do it
//	bucket schema                       the JSON schema of BUCKETS.yaml
//
// Without --project, all of it is done in a sandbox: a project in this process, which is gone at the end. With --project, --key, a
// reference env:NAME or file:PATH to the key of a service account in JSON, and --secrets, the directory that keeps the keys that
// are made, it is the real one, of which --allow names the networks that may be reached.
package main

import (
	_ "embed"
	"os"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs/gcstest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

//go:embed schema.json
var schema string

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "bucket", Short: "provision buckets of Google Cloud Storage",
		Long: `Provision buckets of Google Cloud Storage, service accounts, what these may do
with the buckets, and their HMAC keys, which are kept in a directory.

Without --project, all of it is done in a sandbox: a project in this process,
which is gone at the end.

` + cli.ExitCodes}
	root.AddCommand(provision("plan", "show what would be done; exit with 2 if there are changes"),
		provision("apply", "make the changes"), cli.PrintCommand("schema", "print the JSON schema of BUCKETS.yaml", schema))
	return root
}

// provision returns the command plan or apply.
func provision(verb, short string) *cobra.Command {
	var id, key, secrets string
	var allow []string
	request := cli.Request{Apply: verb == "apply"}
	c := &cobra.Command{Use: verb + " [flags] BUCKETS.yaml", Short: short, Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, words []string) error {
		out, err := cli.PrinterOf(c, say)
		if err != nil {
			return err
		}
		spec, err := read(words[0])
		if err != nil {
			return err
		}
		p, leave, err := project(id, key, allow)
		if err != nil {
			return err
		}
		defer leave()
		if secrets == "" && id == "" { // of the sandbox
			if secrets, err = os.MkdirTemp("", "bucket"); err != nil {
				return err
			}
			defer os.RemoveAll(secrets)
		}
		spec.Sink = nil
		if secrets != "" {
			spec.Sink = lab.SecretDir{Path: secrets}
		}
		plan, err := p.Plan(c.Context(), *spec)
		if err == nil {
			_, err = out.Execute(c.Context(), plan, request)
		}
		out.Summary(map[string]any{"verb": verb, "changes": len(plan.Changes()), "requests": p.Counters.Requests.Load()}, err)
		return err
	}
	flags := c.Flags()
	flags.StringVar(&id, "project", "", "the `ID` of the project; empty means a sandbox")
	flags.StringVar(&key, "key", "", "where the key of a service account is, in JSON, `file:PATH or env:NAME`")
	flags.StringVar(&secrets, "secrets", "", "the `directory` that keeps HMAC keys; in a sandbox, one that is removed at the end")
	flags.StringArrayVar(&allow, "allow", nil, "a `network` that Google's APIs may be in, as 142.250.0.0/15 (may be repeated)")
	if request.Apply {
		request.Flags(c)
	}
	return c
}

func read(file string) (*gcs.Spec, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &lab.Error{Op: "read buckets", Path: file, Err: err}
	}
	d, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	var s gcs.Spec
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	s.Sink = lab.SecretDir{} // which one, the command line says
	return &s, d.Locate(s.Validate().Err())
}

// project returns the project that is named, or a sandbox.
func project(id, key string, allow []string) (p gcs.Project, leave func(), err error) {
	leave = func() {}
	if id == "" {
		f, err := gcstest.Start(gcstest.Config{})
		if err != nil {
			return p, leave, err
		}
		p, leave = f.Access(), func() { _ = f.Close() }
	} else {
		ref, err := lab.ParseSecretRef(key)
		if err != nil {
			return p, leave, err
		}
		p.ID = id
		if p.Key, err = ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile); err != nil {
			return p, leave, err
		}
		if p.Boundary, err = cli.Allow(allow); err != nil {
			return p, leave, err
		}
	}
	p.Counters = &gcs.Counters{}
	return p, leave, nil
}

// say says with which flag or field a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case lab.SettingBoundary:
		return "--allow ADDRESS"
	case gcs.SettingSink:
		return "--secrets DIR"
	case gcs.SettingAdopt:
		return "adopt: true"
	case gcs.SettingRemoveRules:
		return "removeRules: true"
	case gcs.SettingMaxDeletes:
		return "maxDeletes: " + s.Value
	}
	return ""
}
