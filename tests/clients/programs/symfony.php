<?php
// Symfony Mailer keeps its connection. SMTP_MODE=limit has restart_threshold in the DSN.
// The CA is PHP's own setting, openssl.cafile: a DSN has none for it.
use Symfony\Component\Mailer\Exception\TransportExceptionInterface;
use Symfony\Component\Mailer\Transport;
use Symfony\Component\Mime\Email;

require '/usr/share/php/Symfony/Component/Mailer/autoload.php';

$dsn = sprintf(
    '%s://%s:%s@%s:%d%s',
    getenv('SMTP_TLS') === 'implicit' ? 'smtps' : 'smtp',
    rawurlencode(getenv('SMTP_USER')),
    rawurlencode(getenv('SMTP_PASSWORD')),
    getenv('SMTP_HOST'),
    getenv('SMTP_PORT'),
    getenv('SMTP_MODE') === 'limit' ? '?restart_threshold=5' : ''
);
$transport = Transport::fromDsn($dsn);

for ($n = 1; $n <= (int) getenv('SMTP_COUNT'); $n++) {
    $email = (new Email())
        ->from(getenv('SMTP_FROM'))
        ->to('someone@example.org')
        ->subject(getenv('SMTP_RUN') . " $n")
        ->text('It works.');
    $email->getHeaders()->addTextHeader('X-Tags', 'welcome, clients');
    try {
        $sent = $transport->send($email);
        $line = ['n' => $n, 'ok' => $sent->getDebug()];
    } catch (TransportExceptionInterface $error) {
        $line = ['n' => $n, 'error' => $error->getMessage()];
    }
    echo json_encode($line), "\n";
}
