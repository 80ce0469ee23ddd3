// Go's net/smtp: SendMail, a connection for each message; on port 465, which SendMail does not know, a Client over TLS.
// SMTP_MODE=keep sends all messages by one Client, SMTP_MODE=limit five by each.
// The CA is where crypto/x509 looks for it, in SSL_CERT_FILE.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/smtp"
	"os"
	"strconv"
)

var (
	host     = os.Getenv("SMTP_HOST")
	address  = host + ":" + os.Getenv("SMTP_PORT")
	auth     = smtp.PlainAuth("", os.Getenv("SMTP_USER"), os.Getenv("SMTP_PASSWORD"), host)
	from     = os.Getenv("SMTP_FROM")
	to       = []string{"someone@example.org"}
	implicit = os.Getenv("SMTP_TLS") == "implicit"
)

func connect() (*smtp.Client, error) {
	config := &tls.Config{ServerName: host}
	if implicit {
		connection, err := tls.Dial("tcp", address, config)
		if err != nil {
			return nil, err
		}
		client, err := smtp.NewClient(connection, host)
		if err != nil {
			return nil, err
		}
		return client, client.Auth(auth)
	}
	client, err := smtp.Dial(address)
	if err != nil {
		return nil, err
	}
	if err := client.StartTLS(config); err != nil {
		return nil, err
	}
	return client, client.Auth(auth)
}

func submit(client *smtp.Client, message []byte) error {
	if err := client.Mail(from); err != nil {
		return err
	}
	for _, recipient := range to {
		if err := client.Rcpt(recipient); err != nil {
			return err
		}
	}
	writer, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := writer.Write(message); err != nil {
		return err
	}
	return writer.Close()
}

func main() {
	mode := os.Getenv("SMTP_MODE")
	count, _ := strconv.Atoi(os.Getenv("SMTP_COUNT"))
	perConnection := map[string]int{"plain": 1, "keep": count, "limit": 5}[mode]
	var client *smtp.Client
	for n := 1; n <= count; n++ {
		message := []byte(fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s %d\r\nX-Tags: welcome, clients\r\n\r\nIt works.\r\n",
			from, to[0], os.Getenv("SMTP_RUN"), n))
		var err error
		if mode == "plain" && !implicit {
			err = smtp.SendMail(address, auth, from, to, message)
		} else {
			if (n-1)%perConnection == 0 {
				if client != nil {
					client.Quit()
				}
				client, err = connect()
			}
			if err == nil {
				err = submit(client, message)
			}
		}
		line := map[string]any{"n": n, "ok": ""}
		if err != nil {
			line = map[string]any{"n": n, "error": err.Error()}
		}
		json.NewEncoder(os.Stdout).Encode(line)
	}
}
