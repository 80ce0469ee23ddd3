// Nodemailer. SMTP_MODE=keep has a pool of one connection, SMTP_MODE=limit maxMessages too;
// SMTP_MODE=parallel has the pool as Nodemailer makes it, with maxMessages, and all messages at once.
const fs = require('fs');
const nodemailer = require('nodemailer');

const { SMTP_MODE: mode, SMTP_RUN: run, SMTP_COUNT: count } = process.env;
const pools = {
    plain: {},
    keep: { pool: true, maxConnections: 1 },
    limit: { pool: true, maxConnections: 1, maxMessages: 5 },
    parallel: { pool: true, maxMessages: 5 }
};

const transporter = nodemailer.createTransport({
    ...pools[mode],
    host: process.env.SMTP_HOST,
    port: Number(process.env.SMTP_PORT),
    secure: process.env.SMTP_TLS === 'implicit',
    requireTLS: true,
    auth: { user: process.env.SMTP_USER, pass: process.env.SMTP_PASSWORD },
    tls: { ca: fs.readFileSync(process.env.SMTP_CA) }
});

async function send(n) {
    try {
        const info = await transporter.sendMail({
            from: process.env.SMTP_FROM,
            to: 'someone@example.org',
            subject: `${run} ${n}`,
            text: 'It works.',
            headers: { 'X-Tags': 'welcome, clients' }
        });
        console.log(JSON.stringify({ n, ok: info.response }));
    } catch (error) {
        console.log(JSON.stringify({ n, error: error.message }));
    }
}

(async () => {
    const numbers = Array.from({ length: Number(count) }, (_, index) => index + 1);
    if (mode === 'parallel') {
        await Promise.all(numbers.map(send));
    } else {
        for (const n of numbers) {
            await send(n);
        }
    }
    transporter.close();
})();
