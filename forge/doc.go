// Package forge provisions a Gitea server: organizations with teams, users, repositories with all that belongs to
// them, mirrors, the secrets and variables of Actions, access tokens, runners, and identities by which jobs log in
// elsewhere. It observes the server, plans what differs, and applies exactly
// that; the plan after an apply is empty.
//
//	s := &forge.Server{Address: "https://gitea.example.com", Token: token, Boundary: boundary}
//	p, err := s.Plan(ctx, forge.Spec{
//		Key:           key, // of fingerprints, from a lab.Keyring
//		Organizations: []forge.Organization{{Name: "apps"}},
//		Repositories: []forge.Repository{{Owner: "apps", Name: "cms",
//			Secrets: []forge.Secret{{Name: "CF_TOKEN", Value: value}}}},
//	})
//	fmt.Print(p)
//	r, err := p.Apply(ctx, nil)
//
// # What is compared
//
// Fields that the spec leaves empty are left as they are; new repositories, organizations and users are private unless it
// is said that they are not. Lists that are properties of an object, its topics, members or collaborators, are exact where they
// are given: who is not named is removed. Objects, such as keys and webhooks, are created and changed, and are removed
// only with [Spec.Prune], and only those with our mark.
//
// The server shows no secrets. Beside each one that was sent there is a mark with a fingerprint, an HMAC under [Spec.Key]: a
// secret whose value differs from its fingerprint, or that has none, is sent again. It is in the description of the
// secret, which the server writes together with the value, so that neither is ever older than the other: somebody else
// who writes the secret by the API empties it. Who edits it in the pages of the server and leaves the description as it is,
// is not noticed. Of the secrets of a user, which the server does not list, and of webhooks and push mirrors, which have
// no description, it is in a variable of Actions, LAB_SECRET_... and LAB_RECORD_..., which is written
// after them: when a run is cut off between the two, they are sent again. That a secret of a user was removed on the server is
// not noticed.
//
// # What is shown once
//
// The values of access tokens, the secrets of OAuth2 applications, the refresh tokens of [JobIdentity] and the
// registration tokens of runners are kept in [Spec.Sink], which is proved to be writable before anything is made, and are
// read back and proved by use. A run that is cut off leaves at most one token of ours whose value nobody has: the next plan
// finds it by its name, makes a successor and removes it. [Deliver] brings what is kept to where its consumers look
// for it: first to the record, then to the copies.
//
// # What it never does
//
// It never deletes, renames or moves a repository, an organization or a user, and never removes teams, branch protections and
// applications. A repository that is not a mirror never becomes one, and a mirror whose address differs is an error: both
// would need the repository to be replaced. A name that leads to another object now, since that was renamed, is an error
// that says the new name; a change is never sent along a redirect. Making something visible to more people, and
// a new push mirror, which overwrites what is at its address, have [lab.RiskDataLoss], and need a confirmation
// each. Mirrors reach the hosts of [Spec.Remotes] alone. Objects with the mark of another [Spec.Stack] are a conflict. It reads
// nothing of the environment, and follows no redirect.
//
// # Cost
//
// A plan reads each list once. It costs two requests (three with [Server.Identity]); one for each 50 organizations
// and each 50 users of the server, if some are wanted; one for each 50 repositories of an owner of wanted ones; one
// for each organization with wanted teams, and each team with wanted members or repositories; one for each user whose
// password, keys, applications or tokens are wanted, and one for each application or token that is proved; four for each job
// identity, one of them for the refresh token; one for each level of wanted runners, and, where one of those is the whole
// server, for each organization; and for each repository one each for its collaborators (and one for each of those),
// branch protections, deploy keys, webhooks, push mirrors, secrets and variables, but only where some are wanted, or, with
// Prune, everywhere. The API has no list of the secrets of several repositories: 500 repositories with 10 secrets each cost
// 513 requests. An object that is not there costs one more.
// [Server.Parallel] of them are under way at once.
//
// # Errors
//
// What is wrong with a spec comes as [lab.Problems]; what the server said as a [*ServerError] in a [*lab.Error], with the
// sentinel of package lab that fits. What the server accepts and then leaves out, such as a default branch that does not exist, is
// an [lab.ErrDrift] that says what it has instead. After any error the next run continues.
//
// # Limits
//
// Gitea 1.24 or later, and a site administrator's token. The requests are those of code.gitea.io/sdk/gitea, which is not used:
// it has one context for all requests of a client, follows redirects by which a change of a repository that was
// renamed becomes a read that succeeds, shows whole answers in errors, and has no descriptions of variables. The password of a pull mirror
// is used when it is created; later it can only be changed in the settings of the repository. Passwords of users with a
// second factor cannot be proved.
//
// A pull mirror is copied while it is created, within 30 minutes. An apply whose context ends meanwhile waits another minute for
// it: a server whose copying is cut off, or fails, leaves an empty repository behind that says it is a mirror. As
// a plan deletes no repository, this is an [lab.ErrBlocked] that says what to delete. What a team hides, as the
// permission of a collaborator who is its administrator too, is seen by the plan after the one that changes the team.
//
// # Tests
//
// Package forgetest is a Gitea in the test's own process, for these requests: see
// [gitea.arcodange.lab/arcodange-org/lab/forge/forgetest]. The same suite runs on it and on a real Gitea.
package forge
