<?php
// PHPMailer: a connection for each message. SMTP_MODE=keep has SMTPKeepAlive, SMTP_MODE=limit closes after every fifth.
use PHPMailer\PHPMailer\Exception;
use PHPMailer\PHPMailer\PHPMailer;

require '/usr/share/php/libphp-phpmailer/autoload.php';

$mode = getenv('SMTP_MODE');

$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host = getenv('SMTP_HOST');
$mail->Port = (int) getenv('SMTP_PORT');
$mail->SMTPAuth = true;
$mail->Username = getenv('SMTP_USER');
$mail->Password = getenv('SMTP_PASSWORD');
$mail->SMTPSecure = getenv('SMTP_TLS') === 'implicit' ? PHPMailer::ENCRYPTION_SMTPS : PHPMailer::ENCRYPTION_STARTTLS;
$mail->SMTPOptions = ['ssl' => ['cafile' => getenv('SMTP_CA')]];
$mail->SMTPKeepAlive = $mode !== 'plain';
$mail->setFrom(getenv('SMTP_FROM'));
$mail->addAddress('someone@example.org');
$mail->addCustomHeader('X-Tags', 'welcome, clients');
$mail->Body = 'It works.';

for ($n = 1; $n <= (int) getenv('SMTP_COUNT'); $n++) {
    $mail->Subject = getenv('SMTP_RUN') . " $n";
    try {
        $mail->send();
        $line = ['n' => $n, 'ok' => $mail->getSMTPInstance()->getLastTransactionID()];
    } catch (Exception $error) {
        $line = ['n' => $n, 'error' => $error->getMessage(), 'details' => $mail->ErrorInfo];
    }
    echo json_encode($line), "\n";
    if ($mode === 'limit' && $n % 5 === 0) {
        $mail->smtpClose();
    }
}
$mail->smtpClose();
