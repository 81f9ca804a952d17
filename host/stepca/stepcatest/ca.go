package stepcatest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
)

// CA is step and step-ca on a machine.
type CA struct {
	m *hosttest.Machine

	mu      sync.Mutex
	running *server // nil while no step-ca runs
	faults  map[string]string
	calls   []string
	reloads int
	starts  int
}

// Where the programs are that the downloaded files run.
const (
	clientProgram = "/usr/lib/stepcatest/client"
	serverProgram = "/usr/lib/stepcatest/server"
)

const clientScript = "#!/bin/sh\nexec " + clientProgram + " \"$@\"\n"

// The server's shell takes the signals: a program of a machine cannot.
const serverScript = "#!/bin/sh\n" + serverProgram + ` "$@" & server=$!
trap '` + serverProgram + ` reload' HUP
trap 'kill $server; exit 0' TERM INT
status=0
while kill -0 $server 2>/dev/null; do wait $server; status=$?; done
exit $status
`

const clientURL, serverURL = "https://stepcatest.invalid/step", "https://stepcatest.invalid/step-ca"

// Install offers the programs on the machine.
func Install(m *hosttest.Machine) *CA {
	ca := &CA{m: m, faults: map[string]string{}}
	m.Serve(clientURL, []byte(clientScript))
	m.Serve(serverURL, []byte(serverScript))
	m.Handle(clientProgram, ca.client)
	m.Handle(serverProgram, ca.server)
	return ca
}

func program(url, text string) stepca.Program {
	return stepca.Program{URL: url, SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
}

// Step is the client.
func (ca *CA) Step() stepca.Program { return program(clientURL, clientScript) }

// StepCA is the server.
func (ca *CA) StepCA() stepca.Program { return program(serverURL, serverScript) }

// Fail makes every command of the client that begins with these words, such as "ca init", fail with
// the message. An empty message makes it work again.
func (ca *CA) Fail(command, message string) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.faults[command] = message
}

// Calls returns the commands that the client was run with, such as "ca init", in order.
func (ca *CA) Calls() []string {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return append([]string(nil), ca.calls...)
}

// Counters counts what a server has done since Install.
type Counters struct {
	Starts  int // that came up
	Reloads int // that took the new configuration
}

// Counters returns what the server has done.
func (ca *CA) Counters() Counters {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return Counters{Starts: ca.starts, Reloads: ca.reloads}
}

// client is step.
func (ca *CA) client(p *hosttest.Process) int {
	commands := map[string]func(*hosttest.Process, []string) error{
		"ca init": ca.init, "ca health": ca.health, "ca root": ca.root, "ca certificate": ca.certificate,
		"crypto change-pass": ca.changePass, "crypto key public": ca.public, "certificate verify": ca.verify,
	}
	args := p.Args[1:]
	for n := min(3, len(args)); n > 0; n-- {
		name := strings.Join(args[:n], " ")
		run, ok := commands[name]
		if !ok {
			continue
		}
		ca.mu.Lock()
		ca.calls = append(ca.calls, name)
		fault := ca.faults[name]
		ca.mu.Unlock()
		if fault != "" {
			fmt.Fprintln(p.Stderr(), fault)
			return 1
		}
		if err := run(p, args[n:]); err != nil {
			fmt.Fprintln(p.Stderr(), err)
			return 1
		}
		return 0
	}
	fmt.Fprintf(p.Stderr(), "stepcatest: no such command: step %s\n", strings.Join(args, " "))
	return 1
}
