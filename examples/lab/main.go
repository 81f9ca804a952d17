// Command lab builds, keeps and looks after the whole lab.
//
//	lab                                    without a config: build the lab in a sandbox in this process, twice
//	lab init pi@192.168.1.201 ...          write a lab.yaml for these machines
//	lab lock   [--config lab.yaml]         pin the images of the stacks
//	lab plan   [--config lab.yaml] ...     show what would be done; exit 2 when there is something
//	lab apply  [--config lab.yaml] ...     do it
//	lab status [--config lab.yaml]         what stands
//	lab validate [--config lab.yaml]       what is wrong with the config, without reaching anything
//	lab doctor [--config lab.yaml]         whether the machines are well, and what to do if not
//	lab graph  [--config lab.yaml]         draw the lab, or the order of a plan
//	lab explain [PATH]                     what may be written in the config
//	lab config                             print the built-in config, to begin one's own with
//	lab schema                             the JSON schema of the config, for editors
//
// The config is lab.yaml in the current directory, unless --config names another. The first line of
// every run says which config it is, of which environment, and which machines it is about. With
// --sandbox, the config is built in this process, or the built-in one where there is none. --limit and --only limit
// a run to machines and to changes, in every stage; what they leave out is taken to be right. Exit
// codes: 0 done or nothing to do, 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

//go:embed schema.json
var schema string

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "lab", Short: "build, keep and look after the whole lab",
		Long: `Build, keep and look after the whole lab.

lab init begins a config, lab lock pins the images of its stacks, lab plan shows
what would be done, lab apply does it, and lab status shows what stands. The
config is lab.yaml in the current directory, unless --config names another.
Without any config and without a command, the built-in lab is built in a
sandbox in this process, twice; nothing outside of it is touched.

` + cli.ExitCodes,
		RunE: func(c *cobra.Command, _ []string) error {
			if configHere() {
				return cli.Usage("there is a %s here: lab plan, lab apply or lab status; lab apply --sandbox builds it in "+
					"the sandbox", configFile)
			}
			return execute(c, call{verb: "apply", sandbox: true, request: cli.Request{Apply: true, Yes: true}})
		}}
	root.AddCommand(initCommand(), lockCommand(), validateCommand(), planCommand(), showCommand(), applyCommand(),
		statusCommand(), doctorCommand(), graphCommand(), explainCommand(),
		cli.PrintCommand("config", "print the built-in config, to begin one's own with", string(defaultConfig)),
		cli.PrintCommand("schema", "print the JSON schema of the config, for editors", schema))
	return root
}

// configFile is the config in the current directory.
const configFile = "lab.yaml"

func configHere() bool {
	_, err := os.Stat(configFile)
	return !errors.Is(err, fs.ErrNotExist)
}

// call is what the command line asks for.
type call struct {
	verb, config, env, limit, out string

	sandbox bool // nothing outside of this process is touched
	brief   bool // plans are shown in their short form
	only    []string
	request cli.Request // to apply; the zero value for any other command
}

// command returns a command with the flags that those about a lab have.
func command(verb, short string) (*cobra.Command, *call) {
	c := &call{verb: verb}
	cmd := &cobra.Command{Use: verb, Short: short, Args: cli.Words(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return execute(cmd, *c) }}
	c.flags(cmd.Flags())
	return cmd, c
}

func (c *call) configFlag(flags *pflag.FlagSet) {
	flags.FuncP("config", "c", "the lab's config `file`; without it, "+configFile+" in the current directory",
		func(file string) error {
			if c.config = file; file == "" {
				return errors.New("it is empty, which is no file")
			}
			return nil
		})
}

func (c *call) flags(flags *pflag.FlagSet) {
	c.configFlag(flags)
	flags.BoolVar(&c.sandbox, "sandbox", false,
		"build the config in the sandbox instead of for real, or the built-in one where there is none")
	flags.StringVar(&c.env, "env", sandboxName,
		"the environment that may be changed, by its `name`; any other is refused, or asked for on a terminal")
	flags.StringVar(&c.limit, "limit", "",
		"only the machines that this `pattern` selects, and the databases on them: raspberries:&local:!gitea")
	flags.StringArrayVar(&c.only, "only", nil,
		"only changes whose ID matches this `glob`, as file:*, host/pi1/*, pg/erp/* (may be repeated)")
}

func planCommand() *cobra.Command {
	cmd, c := command("plan", "show what would be done; exit with 2 if there are changes")
	cmd.Flags().BoolVar(&c.brief, "summary", false, "show the plan in its short form: without causes and diffs")
	cmd.Flags().StringVar(&c.out, "out", "", "write the plan as JSON into this `file`")
	return cmd
}

func applyCommand() *cobra.Command {
	cmd, c := command("apply", "make the changes, and plan again")
	c.request.Apply = true
	c.request.Flags(cmd)
	ask := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, words []string) error {
		c.request.Yes = c.request.Yes || c.sandbox // there is nothing to lose
		return ask(cmd, words)
	}
	return cmd
}

func statusCommand() *cobra.Command {
	cmd, _ := command("status", "show what stands")
	return cmd
}

// execute does what the command line asks for.
func execute(cmd *cobra.Command, c call) error {
	out, err := cli.PrinterOf(cmd, say)
	if err != nil {
		return err
	}
	r := runner{call: c, out: out, terminal: cli.TerminalOf(cmd), started: time.Now()}
	err = r.run(cmd.Context())
	if !r.summed { // it ended before there was anything to sum up
		r.object(nil, -1, err)
	}
	return err
}

// choose returns the config and its name. The built-in one is for the sandbox only.
func (c call) choose() (name string, data []byte, err error) {
	name = c.config
	switch {
	case name == "" && configHere():
		name = configFile
	case name == "" && c.sandbox:
		return builtIn, defaultConfig, nil
	case name == "":
		return "", nil, &lab.Error{Op: "read config", Path: configFile,
			Hint: "name one: --config FILE; begin one: lab init USER@ADDR; or try the built-in one: --sandbox",
			Err:  fs.ErrNotExist}
	}
	if data, err = os.ReadFile(name); err != nil {
		return name, nil, &lab.Error{Op: "read config", Path: name, Hint: "begin one with: lab init USER@ADDR", Err: err}
	}
	return name, data, nil
}

// builtIn is the name of the built-in config in messages.
const builtIn = "built-in config"
