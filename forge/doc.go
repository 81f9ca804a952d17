// Package forge provisions a Gitea server: organizations and teams, users, repositories with all that belongs to
// them, mirrors, and the secrets and variables of Actions. It observes the server, plans what differs, and applies
// exactly that.
package forge
