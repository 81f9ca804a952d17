// Package stepca makes and keeps the lab's certificate authority: step-ca on one machine, and copies
// of it on others. [Plan] plans all of its machines together, since the copies follow from what the
// first one makes:
//
//	config := stepca.Config{Domain: "arcodange.lab", Primary: "pi1", Wildcards: true, Step: step, StepCA: server}
//	plan, err := stepca.Plan(ctx, machines, config, lab.SecretDir{Path: "/home/me/.lab/secrets"})
//	fmt.Print(plan)
//	report, err := plan.Apply(ctx, nil)
//
// # One authority
//
// The authority is made exactly once, by "step ca init" on the primary, and its root certificate is
// recorded in the sink. Where the Config has a Fingerprint, the sink a root, or any machine one, none
// is made: a second one would silently fork the lab's trust. The root of every machine is compared
// with the one that is known, at every plan. An authority that was made by hand in /etc/step-ca is
// kept as it is; keep the password of its JWK provisioner in the sink as [ProvisionerPassword] first.
//
// There are three passwords. That of the root key is in the sink alone, with the key: the key is
// read back from there, opened on the machine and compared with the certificate before the machine's
// file is removed, so that it is in one place or the other whenever a run is cut off. A removed file
// may be recovered from an SD card for a while; without the password it is of no use. That of the
// intermediate key, by which certificates are signed, is in /etc/step-ca/password.txt. That of the
// JWK provisioner is in the sink, for step-issuer, and for the proofs.
//
// # Active and passive
//
// A replica has the certificates, the intermediate key, its password and ca.json of the primary, and
// a database of its own: ACME accounts and orders, used tokens and revocations are not shared. It
// runs, and nobody asks it. Which machine is asked is a matter of the one DNS record of
// [Config.Host], which must have the address of [Config.ActiveMachine], never two addresses: an ACME
// order that begins on one machine and ends on another fails. To let a replica take over, set Active
// and apply the DNS; clients of ACME register again by themselves. To give back, empty it again. If
// the primary is gone for good, set Primary to a replica: it has all that copies are made of. A
// machine that is not of the CA any more keeps its copy, keys too, until somebody removes /etc/step-ca.
//
// After a power cut, the database of an instance may end in half an entry, on which step-ca does not
// start. The plan then removes that half, and keeps a copy of the file.
//
// A change of ca.json, by the Config or by hand on the primary, reaches all machines, one after the
// other, and is a reload. A changed key, password or program is a restart. After each, the instance
// is proved, see [Prove], before the next machine is touched. A private key leaves the primary only
// when a machine lacks it, over the SSH connection, into memory.
//
// # Certificates
//
// They are for DOMAIN, what is one level below it, and Allow; *.DOMAIN with Wildcards. They are valid
// for 168h, and for 720h when that is asked for. Ask for 720h and renew after two thirds, as [Issuer]
// says and cert-manager does by default: then whatever was issued outlives a week without power.
//
// # Trust
//
// Plan makes the machines of the CA trust the root, and [Config.Trust] any other machine: Debian's
// programs, and Docker for Registries. [Root] returns the recorded root, and [Config.Issuer] what the
// cluster needs, as data: caBundle, key ID, durations.
//
// # In a stage
//
// The base, with the users and the clock, is planned by host.Fleet; the CA comes after it, as a plan
// of its own, since a plan has one step for each machine:
//
//	pipeline.Stage{Name: "step-ca", After: []string{"01_system"},
//		Plan: func(ctx context.Context, _ *pipeline.Selection) (*lab.Plan, error) {
//			return stepca.Plan(ctx, machines, config, sink)
//		}}
//
// The first plan has a deferred change for each machine, since trust follows from a root that is not
// made yet; what those changes do is reported as they are made. All later plans show everything.
//
// # Errors
//
// A Config that is wrong is a [lab.Problems]. [lab.ErrRefused]: the authority would be made again, a
// machine has another root, the primary's is incomplete, or it cannot be the same on several machines.
// [lab.ErrNotFound]: the password of the provisioner. [lab.ErrBlocked]: a wrong clock, an expired
// intermediate certificate. Machines that cannot be reached do not stop the others, but for the
// primary, and while there is no authority.
//
// # Tests
//
// Package stepcatest adds step and step-ca to the machines of hosttest.
package stepca
