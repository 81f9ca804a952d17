// Package forgetest is a Gitea in this process, for tests of what uses package forge. It answers the requests that
// package forge sends as a Gitea of a version from 1.24 to 1.27 answers them: organizations with teams, users with keys,
// tokens and OAuth2 applications, repositories with what belongs to them, mirrors, secrets and variables of Actions,
// runners, and the pages of a login by which a user grants an application an id_token.
//
//	g := forgetest.New(t, forgetest.Config{})
//	p, err := g.Access().Plan(ctx, spec)
//
// A request that it does not know is answered with status 501, never with success, and so is a field of a body that it
// does not know; [Server.Violations] has them. It holds no git data: a repository has branches by name, and a mirror
// fetches nothing.
//
// Faults are asked for by the number of a write ([Server.FailAt]); [Server.Requests] says what it was asked.
package forgetest
