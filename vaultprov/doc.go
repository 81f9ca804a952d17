// Package vaultprov brings up a Vault and keeps what it serves: from the first init to the short-lived
// database credentials of an app.
//
//	s := &vaultprov.Server{Address: "https://vault.lab:8200", CA: ca, Token: vaultprov.StaticToken(token)}
//	p, err := s.Plan(ctx, vaultprov.Spec{Records: vaultprov.Records{Mount: "kvv2"}}.With(apps.Spec()))
//	fmt.Print(p)
//	r, err := p.Apply(ctx, nil)
//
// # What a Vault holds
//
// A [Spec] names secrets engines, auth methods with their configs and roles, policies, connections to databases and
// the roles that make users of them, transit keys, entries of KV engines, and audit devices. What it does not name is
// not touched. [Apps] derives all of it from the instances of the lab's apps: the policy and the Kubernetes role of
// the pods of "erp-sandbox", the connection and the role at postgres/creds/erp-sandbox, the policy "erp-ops" and the
// JWT role "gitea_cicd_erp" of the app's CI. [Manifests] says as data how the Vault Secrets Operator brings the secrets
// into a namespace.
//
// Everything is read and compared before anything is written. What Vault says otherwise than it was told is the same:
// 15m and 900, null and an empty list, policies that mean the same in HCL or JSON. Fields that a kind here does not
// have are left as they are. What cannot be changed, such as the type of a mount, is an error, and everything else is
// planned beside it. Identity (entities and groups) is not kept: all who log in get their policies from a role.
//
// # From an install to a Vault that serves
//
// [Server.Status] says how a server stands. [Server.Init] plans to initialise it, once: never where a sink has keys
// already, for then its storage is lost or it is another server. The sink proves that it can be written to before, and
// the keys are read back; they are encrypted by the server (PGP) or here before they are kept, if that is asked for.
// [Unseal] plans to unseal one server or all of a cluster: shares that are wrong or repeated do no harm while enough are
// right, and are named. [Server.Root] works as root with a token that is revoked in the end, made of the shares where
// the one of the init is gone:
//
//	p, err := s.Init(ctx, vaultprov.Init{Sink: lab.SecretDir{Path: dir}, Shares: 1, Threshold: 1})
//	...
//	keys, err := vaultprov.ParseKeys(secret)
//	p, err = vaultprov.Unseal(ctx, keys, s)
//	...
//	root, err := s.Root(ctx, keys)
//	defer func() { err = errors.Join(err, root.Close(ctx)) }()
//	s.Token = root
//
// After a power cut, [Server.Sweep] revokes what could not be revoked while the database was away, and [CheckSynced] says
// which secrets of the Vault Secrets Operator have not come back.
//
// # Logging in
//
// [Server.Login] exchanges an identity token for a [Session]: of the runner of a CI job ([ActionsIDToken]), of Gitea for a
// refresh token ([GiteaIDToken]), or of a file. The session renews its token, logs in again where it has come to its end
// in the middle of the work, and revokes it when it is closed, also after a failure. The policies of the role must let
// its tokens renew and revoke themselves, as the policy default does.
//
// [KV] keeps secrets that are made or shown once: it is a [lab.Sink] and a [lab.Replacer].
//
// # What is ours
//
// Roles have no description that could say whose they are. So [Records] keeps an entry for each object that was made
// here, in a KV engine, with the owner in its custom metadata. [Spec].Prune removes what is recorded and not named any
// more, roles in engines included, and stops where something could not be read, or where it is more than
// [Spec].MaxDeletes. With a role of a database its users are removed, and its connection only after them: nobody else
// could remove them. An engine is removed only if a person confirms it. Entries, transit keys, the mount of the
// records and the policies default and root are never removed. [Spec].Adopt records what another tool has made.
//
// # Secrets that Vault never shows
//
// The password of a connection is sent when it is made. Whether it is still the one that is wanted is known by its keyed
// fingerprint (HMAC-SHA-256) beside the record. It is left out of all other writes: after rotate-root Vault alone
// knows the one that is valid, and a write with the old one would fail. As all connections of a lab share
// credentials_editor, do not rotate it by Vault: change it in the database, then here. A secret of an object that is
// not recorded as ours is never sent.
//
// # What it never does
//
// It reads nothing of the environment. It sends nothing to a server outside of the boundary, or to another cluster than
// the one that was planned for. It puts no secret into a plan, a diff, an error or a log. It writes an entry of a KV
// version 2 engine only if nobody else has written meanwhile, and keeps the keys of others in it.
//
// # Cost
//
// Vault lists names, and reads one object at a time. A plan of a Vault that is as wanted asks for its health, 2 requests
// each for the mounts, the auth methods and the audit devices, 1 for each config of an auth method, 1 for each mount of
// a kind of roles, connections or keys, 1 for our records of each kind, and then 1 for each object that is named, and
// for each secret that Vault does not show 1 more; [Server].Parallel of them at once. The records are not asked for
// where nothing is pruned, adopted or secret. 200 apps are 1,200 objects and 1,421 requests; a change is one write, and
// one more that records it when it is made or removed.
//
// # Errors
//
// What is wrong with a spec comes as [lab.Problems]; what Vault said as a [*ServerError] in a [*lab.Error], with the
// sentinel of package lab that fits. A run that was cut off is continued by the next: what was begun is finished or not
// done, and our record of it is written first.
//
// # Tests
//
// Package vaulttest is a Vault in the test's own process: see
// [gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest].
package vaultprov
