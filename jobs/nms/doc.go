// Package nms holds the rules of marketing that several packages of workflows share, as SQL.
package nms
