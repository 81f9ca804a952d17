// Package stepcatest adds Smallstep's programs to the machines of hosttest: step and step-ca, as far
// as package stepca runs them.
//
//	box := hosttest.New(t, hosttest.Config{})
//	ca := stepcatest.Install(box)
//	config.Step, config.StepCA = ca.Step(), ca.StepCA()
//
// The programs are offered for download on the machine, which has them once that was done. Root,
// intermediate and leaves are real certificates, and the server reads its ca.json, policy and claims
// as the real one does; keys are encrypted in a form of this package's own. A command, an option or
// a part of a policy that it does not know is an error.
package stepcatest
