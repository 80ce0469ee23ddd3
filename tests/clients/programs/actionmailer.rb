# Rails' ActionMailer, with the settings of an initializer: a connection for each message.
# SMTP_MODE=keep sends all messages by one Net::SMTP, through ruby-mail's SMTPConnection; SMTP_MODE=limit five by each.
require "action_mailer"
require "json"

HOST, PORT, CA = ENV["SMTP_HOST"], ENV["SMTP_PORT"].to_i, ENV["SMTP_CA"]
USER, PASSWORD = ENV["SMTP_USER"], ENV["SMTP_PASSWORD"]
IMPLICIT = ENV["SMTP_TLS"] == "implicit"
COUNT, MODE = ENV["SMTP_COUNT"].to_i, ENV["SMTP_MODE"]
PER_CONNECTION = MODE == "limit" ? 5 : COUNT

ActionMailer::Base.delivery_method = :smtp
ActionMailer::Base.smtp_settings = {
  address: HOST,
  port: PORT,
  user_name: USER,
  password: PASSWORD,
  authentication: :plain,
  tls: IMPLICIT,
  enable_starttls_auto: !IMPLICIT,
  ca_file: CA,
  return_response: true
}

class Notifier < ActionMailer::Base
  def hello(subject)
    headers["X-Tags"] = "welcome, clients"
    mail(from: ENV["SMTP_FROM"], to: "someone@example.org", subject: subject, body: "It works.")
  end
end

def connect
  context = Net::SMTP.default_ssl_context
  context.ca_file = CA
  smtp = Net::SMTP.new(HOST, PORT)
  IMPLICIT ? smtp.enable_tls(context) : smtp.enable_starttls(context)
  smtp.start("localhost", USER, PASSWORD, :plain)
end

if MODE != "plain"
  ActionMailer::Base.add_delivery_method(:smtp_connection, Mail::SMTPConnection)
  ActionMailer::Base.delivery_method = :smtp_connection
end

connection = nil
(1..COUNT).each do |n|
  begin
    if MODE != "plain" && (n - 1) % PER_CONNECTION == 0
      connection&.finish
      connection = connect
      ActionMailer::Base.smtp_connection_settings = { connection: connection, return_response: true }
    end
    response = Notifier.hello("#{ENV["SMTP_RUN"]} #{n}").deliver_now!
    puts({ n: n, ok: response.string.strip }.to_json)
  rescue Net::SMTPError => error
    puts({ n: n, error: error.message, details: error.response.string }.to_json)
  rescue IOError, SystemCallError, OpenSSL::SSL::SSLError => error
    puts({ n: n, error: error.message }.to_json)
  end
end
