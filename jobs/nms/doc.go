// Package nms holds the rules of marketing that several packages of workflows share: as SQL, and the steps made of it.
package nms
